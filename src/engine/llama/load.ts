import koffi, { type LibraryHandle } from 'koffi';
import { failure } from '../../shared/errors.ts';
import { type Llama, SIGNATURES } from './functions.ts';
import { LIBRARY_VERSION, type LibraryLocation } from './library.ts';
import { type Pointer, STRUCT_SIZES } from './structs.ts';

let loaded: { folder: string; llama: Llama } | undefined;

/**
 * Loads one build of llama.cpp into this process, once, and checks that it is the build that these structs
 * describe. What the library logs meanwhile is dropped.
 *
 * @throws `library_mismatch`, `library_missing`
 */
export function loadLibrary(location: LibraryLocation): Llama {
  if (loaded) {
    if (loaded.folder !== location.folder) {
      throw failure('library_mismatch', { reason: `${loaded.folder} is loaded already in this process` });
    }
    return loaded.llama;
  }
  // A backtrace forks a debugger, which can hang an aborting process.
  process.env.GGML_NO_BACKTRACE = '1';
  const llama = bindAll(location);
  verify(llama);
  llama.llama_log_set(silentLog(), null);
  llama.ggml_backend_load_all_from_path(location.folder);
  llama.llama_log_set(null, null);
  loaded = { folder: location.folder, llama };
  return llama;
}

function bindAll(location: LibraryLocation): Llama {
  // The order matters: each library finds the one before it by its name, without LD_LIBRARY_PATH.
  const libraries = [location.base, location.ggml, location.llama].map((file) => {
    try {
      return koffi.load(file);
    } catch (cause) {
      throw failure('library_missing', { reason: `Cannot load ${file}: ${String(cause)}` }, { cause });
    }
  });
  const bound: Record<string, unknown> = {};
  for (const [name, signature] of Object.entries(SIGNATURES)) {
    bound[name] = bind(libraries, name, signature.replace('f(', `${name}(`));
  }
  return bound as unknown as Llama;
}

function bind(libraries: LibraryHandle[], name: string, signature: string): unknown {
  for (const library of libraries) {
    try {
      return library.func(signature);
    } catch {
      // Not in this one; the three libraries share the names between them.
    }
  }
  throw failure('library_mismatch', { reason: `it has no ${name}` });
}

function verify(llama: Llama): void {
  const mismatch = (reason: string) => failure('library_mismatch', { reason });
  for (const [type, size] of STRUCT_SIZES) {
    if (koffi.sizeof(type) !== size)
      throw mismatch(`${type.name} takes ${koffi.sizeof(type)} bytes, not ${size}`);
  }
  const version = llama.llama_version();
  if (!version.startsWith(LIBRARY_VERSION)) throw mismatch(`version ${version}, not ${LIBRARY_VERSION}`);
  // Defaults whose values stand out: a field that moved shows up here and not as a crash later.
  const model = llama.llama_model_default_params();
  const context = llama.llama_context_default_params();
  const sentinels: [string, unknown, unknown][] = [
    ['n_gpu_layers', model.n_gpu_layers, -1],
    ['split_mode', model.split_mode, 1],
    ['use_extra_bufts', model.use_extra_bufts, true],
    ['vocab_only', model.vocab_only, false],
    ['n_ctx', context.n_ctx, 512],
    ['n_batch', context.n_batch, 2048],
    ['n_seq_max', context.n_seq_max, 1],
    ['rope_scaling_type', context.rope_scaling_type, -1],
    ['yarn_ext_factor', context.yarn_ext_factor, -1],
    ['defrag_thold', context.defrag_thold, -1],
    ['type_k', context.type_k, 1],
    ['type_v', context.type_v, 1],
    ['offload_kqv', context.offload_kqv, true],
    ['no_perf', context.no_perf, true],
    ['kv_unified', context.kv_unified, false],
    ['n_samplers', context.n_samplers, 0],
  ];
  for (const [field, got, expected] of sentinels) {
    if (got !== expected)
      throw mismatch(`the default of ${field} is ${String(got)}, not ${String(expected)}`);
  }
}

/** The C library of this platform. */
export function libc(): LibraryHandle {
  const files: Partial<Record<NodeJS.Platform, string>> = {
    darwin: 'libSystem.B.dylib',
    win32: 'ucrtbase.dll',
  };
  return koffi.load(files[process.platform] ?? 'libc.so.6');
}

/** A libc function, as something that the library can call on its own threads without touching JavaScript. */
export function libcFunction(name: 'abs' | 'strlen'): Pointer {
  return libc().symbol(name) as Pointer;
}

/** A log callback that does nothing: `abs(level)`. NULL would mean stderr. */
export function silentLog(): Pointer {
  return libcFunction('abs');
}
