"""Live streams and videos over the network: a server, its page, and its client."""

from gad_lightning.serving.client import AsyncClient as AsyncClient
from gad_lightning.serving.client import Client as Client
from gad_lightning.serving.told import ServerError as ServerError
from gad_lightning.serving.told import Told as Told
