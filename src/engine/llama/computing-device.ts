import type { Llama } from './functions.ts';
import type { GpuChoice } from './library.ts';
import type { Pointer } from './structs.ts';

/** GGML_BACKEND_DEVICE_TYPE_CPU and _ACCEL; the others are GPUs. */
const HOST_DEVICES = new Set([0, 3]);

/** The GPU that layers are given to; undefined where all of them stay on the CPU. */
export function computingDevice(
  llama: Pick<Llama, 'ggml_backend_dev_count' | 'ggml_backend_dev_get' | 'ggml_backend_dev_type'>,
  { gpu, gpuLayers }: { gpu: GpuChoice; gpuLayers: number },
): Pointer | undefined {
  if (gpu === 'off' || gpuLayers === 0) return undefined;
  for (let i = 0; i < llama.ggml_backend_dev_count(); i++) {
    const device = llama.ggml_backend_dev_get(i);
    if (!HOST_DEVICES.has(llama.ggml_backend_dev_type(device))) return device;
  }
  return undefined;
}
