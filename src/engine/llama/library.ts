import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '../../shared/errors.ts';

/** The build of llama.cpp that bindings.ts describes; another one has other structs. */
export const LIBRARY_VERSION = '0.5.0';
export const PACKAGE_VERSION = '3.22.1';

export const GPU_CHOICES = ['auto', 'cuda', 'vulkan', 'metal', 'off'] as const;
export type GpuChoice = (typeof GPU_CHOICES)[number];

/** Where one build of llama.cpp lies: full paths, to be loaded in this order. */
export interface LibraryLocation {
  folder: string;
  /** What the build computes on. */
  kind: Exclude<GpuChoice, 'auto'>;
  /** The npm package, or `TIERKV_LLAMA_LIB_DIR`. */
  source: string;
  base: string;
  ggml: string;
  llama: string;
}

type Kind = LibraryLocation['kind'];

/** Packages by platform. On Apple silicon the Metal build is also the one for the CPU. */
const PACKAGES: Record<string, Partial<Record<Kind, string>>> = {
  'linux-x64': { off: 'linux-x64', cuda: 'linux-x64-cuda', vulkan: 'linux-x64-vulkan' },
  'linux-arm64': { off: 'linux-arm64' },
  'darwin-x64': { off: 'mac-x64' },
  'darwin-arm64': { off: 'mac-arm64-metal', metal: 'mac-arm64-metal' },
  'win32-x64': { off: 'win-x64', cuda: 'win-x64-cuda', vulkan: 'win-x64-vulkan' },
  'win32-arm64': { off: 'win-arm64' },
};

/** GPU builds are tried in this order for `auto`; the CPU comes last. */
const AUTO_ORDER: readonly Kind[] = ['cuda', 'metal', 'vulkan', 'off'];

/**
 * Finds the library for `--gpu`. The operator's own build in `TIERKV_LLAMA_LIB_DIR` goes before the packages.
 *
 * @throws `library_missing` with what to install
 */
export function findLibrary(gpu: GpuChoice, environment: NodeJS.ProcessEnv = process.env): LibraryLocation {
  const own = environment.TIERKV_LLAMA_LIB_DIR;
  if (own) return locate(path.resolve(own), gpu === 'auto' ? 'off' : gpu, 'TIERKV_LLAMA_LIB_DIR');
  const platform = `${process.platform}-${process.arch}`;
  const packages = PACKAGES[platform];
  if (!packages) {
    throw failure('library_missing', {
      reason: `There is no prebuilt llama.cpp for ${platform}. Build version ${LIBRARY_VERSION} yourself and name its folder in TIERKV_LLAMA_LIB_DIR.`,
    });
  }
  const wanted = gpu === 'auto' ? AUTO_ORDER : [gpu];
  for (const kind of wanted) {
    const name = packages[kind];
    const folder = name && installedFolder(name);
    if (folder) return locate(folder, kind, `@node-llama-cpp/${name}`);
  }
  const missing = packages[gpu === 'auto' ? 'off' : gpu];
  throw failure('library_missing', {
    reason: missing
      ? `The llama.cpp build for --gpu ${gpu} is not installed. Run: npm install @node-llama-cpp/${missing}@${PACKAGE_VERSION}`
      : `There is no prebuilt llama.cpp with ${gpu} for ${platform}.`,
  });
}

/** The builds that are installed for this platform, for `tierkv doctor`. */
export function installedKinds(): { kind: Kind; packageName: string; installed: boolean }[] {
  const packages = PACKAGES[`${process.platform}-${process.arch}`] ?? {};
  return (Object.entries(packages) as [Kind, string][]).map(([kind, name]) => ({
    kind,
    packageName: `@node-llama-cpp/${name}`,
    installed: installedFolder(name) !== undefined,
  }));
}

function installedFolder(packageName: string): string | undefined {
  let main: string;
  try {
    main = fileURLToPath(import.meta.resolve(`@node-llama-cpp/${packageName}`));
  } catch {
    return undefined; // not installed
  }
  const bins = path.join(path.dirname(main), '..', 'bins');
  if (!existsSync(bins)) return undefined;
  const [folder] = readdirSync(bins);
  return folder && path.join(bins, folder);
}

function locate(folder: string, kind: Kind, source: string): LibraryLocation {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw failure('library_missing', { reason: `${source}: there is no folder ${folder}.` });
  const files = readdirSync(folder);
  // File names differ by kind and platform: libllama.v0.5.0.so, libllama.cuda.v0.5.0.so, llama.dll.
  const find = (name: string) => {
    const pattern = new RegExp(`^(lib)?${name}(\\.(cuda|vulkan|metal))?(\\.v[\\d.]+)?\\.(so|dylib|dll)$`);
    const file = files.find((entry) => pattern.test(entry));
    if (!file) throw failure('library_missing', { reason: `${source}: no ${name} library in ${folder}.` });
    return path.join(folder, file);
  };
  return { folder, kind, source, base: find('ggml-base'), ggml: find('ggml'), llama: find('llama') };
}
