// y <- a x + y, for x, y: (n,) float32, not overlapping. Grid-stride: every launch shape covers all n elements.
extern "C" __global__ void fx_axpy_f32(long long n, float a, const float* __restrict__ x, float* __restrict__ y) {
    const long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
        y[i] = fmaf(a, x[i], y[i]);
    }
}
