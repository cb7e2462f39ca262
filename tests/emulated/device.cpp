// A device of its own in the CPU's memory. Its kernels are the CPU's, but, as on a GPU, a tensor of another device beside
// its own is an error, and whatever makes the host wait for a result is counted.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/DispatchStub.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/native/transformers/sdp_utils_cpp.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <cstdlib>
#include <set>

namespace {

constexpr auto kType = c10::DeviceType::PrivateUse1;
const c10::Device kDevice(kType, 0);
int64_t waits = 0;
thread_local bool on_host = false;  // inside a kernel, whose own copies are no waits

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kType; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return getStream(kDevice); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* place = bytes ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr;
    return {place, place, &std::free, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};
Memory memory;
REGISTER_ALLOCATOR(kType, &memory);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool isAvailable() const override { return true; }
  bool isBuilt() const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
};
const bool registered = [] { return at::RegisterPrivateUse1HooksInterface(new Hooks()), true; }();

at::Tensor seen_from_host(const at::Tensor& ours) {  // the same memory
  if (ours.is_cpu()) return ours;
  return at::from_blob(ours.data_ptr(), ours.sizes(), ours.strides(), ours.options().device(at::kCPU));
}

at::Tensor empty(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                 std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(size, &memory, keys, c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<at::ScalarType> type,
                         std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(size, stride, &memory, keys, c10::dtype_or_default(type));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  waits += !on_host && to.is_cpu();
  seen_from_host(to).copy_(seen_from_host(from));
  return to;
}

const at::Tensor& resize(const at::Tensor& ours, c10::SymIntArrayRef size, std::optional<at::MemoryFormat>) {
  TORCH_CHECK(ours.numel() == 0, "only what is empty is resized here");
  auto* inside = ours.unsafeGetTensorImpl();
  inside->set_sizes_contiguous(C10_AS_INTARRAYREF_SLOW(size));
  const auto bytes = ours.numel() * ours.itemsize();
  inside->set_storage_keep_dtype(c10::Storage(c10::Storage::use_byte_size_t(), bytes, &memory, true));
  return ours;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (from.sizes() != to.sizes()) to.resize_(from.sizes());
  return copy_from(from, to, false);
}

at::Scalar item(const at::Tensor& ours) {
  waits += !on_host;
  return seen_from_host(ours).item();
}

at::Tensor view(const at::Tensor& ours, c10::SymIntArrayRef size) {
  return at::native::view(ours, C10_AS_INTARRAYREF_SLOW(size));
}

at::Tensor reshape_alias(const at::Tensor& ours, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(ours, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

at::Tensor as_strided(const at::Tensor& ours, c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                      std::optional<c10::SymInt> offset) {
  const auto from = offset ? std::optional<int64_t>(offset->expect_int()) : std::nullopt;
  return at::native::as_strided_tensorimpl(ours, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), from);
}

at::Tensor unfold(const at::Tensor& ours, int64_t dim, int64_t size, int64_t step) {
  return at::native::unfold(ours, dim, size, step);
}

at::Tensor& set_storage(at::Tensor& ours, at::Storage storage) {
  auto* inside = ours.unsafeGetTensorImpl();
  inside->set_storage_keep_dtype(storage);
  inside->set_sizes_contiguous({static_cast<int64_t>(storage.nbytes() / ours.itemsize())});
  return ours;
}

int64_t plain_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                        double, bool, std::optional<double>, bool) {
  return static_cast<int64_t>(sdp::SDPBackend::math);
}

void refuse(const at::Tensor& other, const std::string& kernel, const std::string& argument) {
  TORCH_CHECK(!other.defined() || !other.is_cpu(), kernel,
              ": Expected all tensors to be on the same device, but ", argument, " is on cpu, with sizes ",
              other.defined() ? other.sizes() : at::IntArrayRef());
}

void run_on_host(const c10::OperatorHandle& kernel, torch::jit::Stack* stack) {
  const std::string name = kernel.schema().name();
  const auto arguments = torch::jit::last(*stack, kernel.schema().arguments().size());
  const bool indexing = name.rfind("aten::index", 0) == 0 || name.rfind("aten::_index_put", 0) == 0;
  static const std::set<std::string> of_unknown_size = {"aten::nonzero", "aten::masked_select", "aten::_unique2",
                                                        "aten::unique_dim", "aten::equal", "aten::repeat_interleave"};
  waits += !on_host && of_unknown_size.count(name);
  for (size_t i = 0; i < arguments.size(); i++) {
    const std::string argument = kernel.schema().arguments()[i].name();
    if (arguments[i].isTensor()) {
      const at::Tensor& given = arguments[i].toTensor();
      if (given.defined() && given.dim() > 0) refuse(given, name, argument);  // a GPU takes numbers from the host
    } else if (arguments[i].isTensorList()) {
      for (const at::Tensor& given : arguments[i].toTensorVector()) refuse(given, name, argument);
    } else if (arguments[i].isOptionalTensorList()) {
      for (const std::optional<at::Tensor>& given : arguments[i].toOptionalTensorList()) {
        if (!given) continue;
        if (!indexing) refuse(*given, name, argument);  // a GPU takes indices from the host
        waits += !on_host && given->scalar_type() == at::kBool;  // how many are chosen?
      }
    }
  }
  const bool before = std::exchange(on_host, true);
  at::native::cpu_fallback(kernel, stack);
  on_host = before;
}

int64_t take_waits() { return std::exchange(waits, 0); }

}  // namespace

namespace at::native {
REGISTER_PRIVATEUSE1_DISPATCH(_fused_sdp_choice_stub, &plain_attention);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_host>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", TORCH_FN(empty));
  library.impl("empty_strided", TORCH_FN(empty_strided));
  library.impl("_copy_from", TORCH_FN(copy_from));
  library.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
  library.impl("resize_", TORCH_FN(resize));
  library.impl("_local_scalar_dense", TORCH_FN(item));
  library.impl("view", TORCH_FN(view));
  library.impl("_reshape_alias", TORCH_FN(reshape_alias));
  library.impl("unfold", TORCH_FN(unfold));
  library.impl("as_strided", TORCH_FN(as_strided));
  library.impl("set_.source_Storage", TORCH_FN(set_storage));
  library.impl("_fused_sdp_choice", TORCH_FN(plain_attention));
}

TORCH_LIBRARY(emulated, library) { library.def("take_waits() -> int", &take_waits); }
