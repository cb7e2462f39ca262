// Label a stream with a compiled step: libtorch alone, no Python.
//
//     gad-lightning export best.ckpt step.pt2 --step=true --format=aoti
//     g++ -std=c++20 step_aoti.cpp -o step_aoti -I$TORCH/include -I$TORCH/include/torch/csrc/api/include \
//         -L$TORCH/lib -Wl,-rpath,$TORCH/lib -ltorch -ltorch_cpu -lc10
//     ./step_aoti step.pt2 features.f32
//
// TORCH is the folder of torch: python -c 'import torch, pathlib; print(pathlib.Path(torch.__file__).parent)'.
// features.f32 holds the features of a video's frames as float32, T * N * D numbers in a row. A line is written for each
// frame: its number, then the number of its class in "classes" of the description, and the log-probability.
#include <fstream>
#include <iostream>
#include <regex>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/torch.h>

// The number or the list of numbers that follows a name, from some place of the description on.
std::vector<int64_t> numbers(const std::string& about, const std::string& name, size_t from = 0) {
  std::vector<int64_t> found;
  size_t at = about.find("\"" + name + "\": ", from) + name.size() + 4;
  std::string part = about.substr(at, about.find_first_of(about[at] == '[' ? "]" : ",}", at) - at);
  std::regex digits("[0-9]+");
  for (auto it = std::sregex_iterator(part.begin(), part.end(), digits); it != std::sregex_iterator(); ++it)
    found.push_back(std::stoll(it->str()));
  return found;
}

int main(int count, char** words) {
  if (count != 3) {
    std::cerr << "usage: step_aoti step.pt2 features.f32\n";
    return 2;
  }
  c10::InferenceMode mode;
  torch::inductor::AOTIModelPackageLoader program(words[1]);
  const std::string about = program.get_metadata().at("gad_lightning.json");
  std::vector<torch::Tensor> kept;  // one stream: zeros, and frame number 0, begin it
  for (size_t at = about.find("\"keeps\""); (at = about.find("\"shape\": ", at)) != std::string::npos; ++at) {
    auto shape = numbers(about, "shape", at);
    shape.insert(shape.begin(), 1);
    kept.push_back(torch::zeros(shape));
  }
  const int64_t tokens = numbers(about, "tokens_per_frame")[0], width = numbers(about, "width")[0];
  std::ifstream file(words[2], std::ios::binary);
  torch::Tensor frames = torch::zeros({1, tokens, width});
  const auto bytes = static_cast<std::streamsize>(frames.nbytes());
  for (int64_t number = 0; file.read(static_cast<char*>(frames.data_ptr()), bytes); ++number) {
    std::vector<torch::Tensor> given{frames, torch::full({1}, number, torch::kLong)};
    given.insert(given.end(), kept.begin(), kept.end());
    auto made = program.run(given);
    kept.assign(made.begin() + 1, made.end());
    const int64_t best = made[0].argmax(1).item<int64_t>();
    std::cout << number << "\t" << best << "\t" << made[0][0][best].item<float>() << "\n";
  }
  return 0;
}
