import type { StorageCheck } from '../../shared/storage-messages.ts';

/** One row for each step: what the first rank that failed says of it, else what the first rank says. */
export function mergeChecks(answers: { rank: number; checks: StorageCheck[] }[]): StorageCheck[] {
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
