import type { PageMemory } from '../engine.ts';
import { computingDevice } from './computing-device.ts';
import type { Llama } from './functions.ts';
import { findLibrary, type GpuChoice } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { TouchedMemory } from './touched-memory.ts';

/** The memory that the device of an engine copies most quickly to and from. */
export function pageMemory(llama: Llama, options: { gpu: GpuChoice; gpuLayers: number }): PageMemory {
  // Nothing says that other GPU backends allocate while another thread copies.
  const device = findLibrary(options.gpu).kind === 'cuda' ? computingDevice(llama, options) : undefined;
  const type = device === undefined ? null : llama.ggml_backend_dev_host_buffer_type(device);
  return type === null ? new TouchedMemory() : new PinnedMemory(llama, type);
}
