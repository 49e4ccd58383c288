export {
  bytes,
  has,
  listAll,
  never,
  outcome,
  pageKey,
  read,
  remove,
  settled,
  write,
} from '../../../src/storage-suite/calls.ts';
