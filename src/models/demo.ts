import { fileURLToPath } from 'node:url';

/**
 * The model that is served where none is named: a toy of 3 million parameters that tells stories. It comes with the
 * package; `tools/demo-model` says how it was made.
 */
export const DEMO_MODEL = fileURLToPath(new URL('../../models/demo.gguf', import.meta.url));
