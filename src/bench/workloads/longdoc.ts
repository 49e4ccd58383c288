import type { Random } from '../../models/random.ts';
import { atMost } from '../at-most.ts';
import type { Workload } from '../workload.ts';

export interface LongdocOptions {
  documents: number;
  documentLength: number;
  /** Questions to each document. */
  questions: number;
  questionLength: number;
  outputLength: number;
  parallel: number;
}

/** Questions to documents that are more than the upper tiers hold: one to each, then the others in any order. */
export const longdoc: Workload<LongdocOptions> = {
  name: 'longdoc',
  about: 'questions to documents that are more than memory holds',
  async run(bench, options) {
    const { documents, questions, documentLength, questionLength, outputLength, parallel } = options;
    bench.expect(documents * questions);
    const pairs = (from: number, to: number) =>
      Array.from({ length: documents }, (_, document) =>
        Array.from({ length: to - from }, (_, i) => ({ document, question: from + i })),
      ).flat();
    const rest = shuffled(pairs(1, questions), bench.random('order of questions'));
    for (const [name, asked] of [
      ['first questions', pairs(0, 1)],
      ['later questions', rest],
    ] as const) {
      const part = bench.part(name);
      await atMost(parallel, asked, ({ document, question }) => {
        const said = bench.text(`question ${question} to ${document}`, questionLength);
        const prompt = [...bench.text(`document ${document}`, documentLength), ...said];
        return part.ask({ prompt, output: outputLength });
      });
    }
  },
};

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], { below }: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const other = below(i + 1);
    [result[i], result[other]] = [result[other]!, result[i]!];
  }
  return result;
}
