"""Tests of runs that are stopped and go on."""
