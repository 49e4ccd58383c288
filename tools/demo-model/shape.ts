/** The model's dimensions; training and the GGUF file both take them from here. */
export const SHAPE = {
  vocabulary: 2048,
  layers: 6,
  width: 192,
  heads: 6,
  ffn: 512,
  /** Longest context in tokens. */
  context: 4096,
  ropeBase: 10_000,
  normEpsilon: 1e-5,
  /** The file's logits are the trained ones times this: a client that names no temperature gets fewer slips. */
  sharpness: 2,
} as const;
