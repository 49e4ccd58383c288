import type { LibraryLocation } from './library.ts';
import { loadLibrary } from './load.ts';

/** ggml_backend_dev_type in ggml-backend.h. */
const DEVICE_TYPES = ['cpu', 'gpu', 'integrated gpu', 'accelerator'];

/** Loads a build and says what it is and what it finds on this machine. */
export function inspectLibrary(location: LibraryLocation) {
  const llama = loadLibrary(location);
  const devices = Array.from({ length: llama.ggml_backend_dev_count() }, (_, i) => {
    const device = llama.ggml_backend_dev_get(i);
    const free: [number] = [0];
    const total: [number] = [0];
    llama.ggml_backend_dev_memory(device, free, total);
    return {
      name: llama.ggml_backend_dev_name(device),
      description: llama.ggml_backend_dev_description(device),
      type: DEVICE_TYPES[llama.ggml_backend_dev_type(device)] ?? 'other',
      freeBytes: Number(free[0]),
      totalBytes: Number(total[0]),
    };
  });
  // "CPU : SSE3 = 1 | AVX = 1 | …"
  const cpuFeatures = [...llama.llama_print_system_info().matchAll(/(\w+) = 1/g)].map(
    (match) => match[1] ?? '',
  );
  return {
    version: llama.llama_version(),
    kind: location.kind,
    source: location.source,
    folder: location.folder,
    maxSequences: llama.llama_max_parallel_sequences(),
    cpuFeatures,
    devices,
  };
}
