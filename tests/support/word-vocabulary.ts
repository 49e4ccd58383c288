import type { Vocabulary } from '../../src/engine/engine.ts';

/** A vocabulary whose tokens are these byte strings; the last one is a control token. */
export function vocabularyOf(pieces: (string | Uint8Array)[], control = '<end>'): Vocabulary {
  const bytes = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece));
  const controlToken = pieces.length;
  return {
    size: pieces.length + 1,
    chatTemplate: undefined,
    beginText: '',
    endText: control,
    name: 'words',
    trainedContext: 1000,
    kvValuesPerToken: undefined,
    tokenize: async () => new Int32Array(),
    piece: (token, special) => {
      if (token === controlToken) return new TextEncoder().encode(special ? control : '');
      return bytes[token]!;
    },
    isEndOfGeneration: (token) => token === controlToken,
    close: () => undefined,
  };
}
