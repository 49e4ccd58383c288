import type { StorageCheck } from '../../shared/storage-messages.ts';
import type { RankMessage } from './rank-answers.ts';

interface CheckedRank {
  rank: number;
  checks: readonly StorageCheck[];
}

/** One row for each step: what the first rank that failed says of it, else what the first rank says. */
export function mergeChecks(answers: readonly CheckedRank[]): StorageCheck[] {
  const names = [...new Set(answers.flatMap(({ checks }) => checks.map(({ name }) => name)))];
  return names.flatMap((name) => {
    const rows = answers.flatMap(({ rank, checks }) =>
      checks.filter((check) => check.name === name).map((check) => ({ rank, ...check })),
    );
    const worst = rows.find(({ ok }) => !ok) ?? rows[0];
    if (!worst) return [];
    const where = answers.length > 1 && !worst.ok ? `rank ${worst.rank}: ` : '';
    const ms = Math.max(...rows.map((row) => row.ms));
    return [{ name, ok: worst.ok, ms, detail: where + worst.detail }];
  });
}

/** What the log says of a rank on which a backend was tried out. */
export function checkMessage({ rank, checks }: CheckedRank): RankMessage {
  const failed = checks.find(({ ok }) => !ok);
  return { rank, ok: !failed, message: failed ? `${failed.name}: ${failed.detail}` : 'it works' };
}
