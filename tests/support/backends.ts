import { temporaryFolder } from '../storage/support/folders.ts';

/** A store that a server under test can attach. */
export interface TestBackend {
  backend: string;
  config: Record<string, unknown>;
  /** Of the server, where the backend needs some. */
  flags?: readonly string[];
  /** Ends what was started for it. */
  stop(): Promise<void>;
}

const nothing = async () => undefined;

/** Those that need nothing but this process and a disk, each with an empty store. */
export const EMBEDDED: Record<string, () => Promise<TestBackend>> = {
  file: async () => ({
    backend: 'file',
    config: { path: await temporaryFolder(), min_free_space: 0 },
    stop: nothing,
  }),
  memory: async () => ({ backend: 'memory', config: {}, stop: nothing }),
};
