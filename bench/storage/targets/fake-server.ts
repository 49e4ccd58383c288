/** Runs one of the stores that tests use, and says where. */
import { FakeMooncake } from '../../../tests/support/services/fake-mooncake.ts';
import { startFakeS3 } from '../../../tests/support/services/fake-s3.ts';

const url = process.argv[2] === 's3' ? (await startFakeS3()).endpoint : (await FakeMooncake.start()).url;
process.send?.(url);
// Without the one that started it, it is of no use.
process.on('disconnect', () => process.exit());
