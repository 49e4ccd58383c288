import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Failure, failure } from '../../../shared/errors.ts';
import { codeOf, messageOf } from '../file/file-errors.ts';
import { ServiceError } from './metadata-service.ts';

/** Makes sure that the folder of a file is there: where it is not, the file system is not mounted. Throws in words. */
export async function requireFolder(file: string): Promise<void> {
  const folder = path.dirname(file);
  const isThere = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isThere) throw new Error("its folder is not there: mount 3FS, or check 'file_path_prefix'");
}

/** What a failed opening says. */
export function mountFailure(error: unknown): Failure {
  return failure('storage_failed', { backend: 'hf3fs', reason: reasonOf(error) }, { cause: error });
}

function reasonOf(error: unknown): string {
  // Of the file backend, which names it, and its options.
  if (error instanceof Failure && error.cause !== undefined) return reasonOf(error.cause);
  if (error instanceof ServiceError) return `${error.message} Check 'metadata_server_url'`;
  if ([error, error instanceof Error && error.cause].some(isNotTaken))
    return "the file system does not take direct I/O, so it is no 3FS: check 'file_path_prefix'";
  return messageOf(error);
}

function isNotTaken(error: unknown): boolean {
  return ['EINVAL', 'EOPNOTSUPP', 'ENOTSUP'].includes(codeOf(error) ?? '');
}
