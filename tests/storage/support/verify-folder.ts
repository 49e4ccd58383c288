import { systemClock } from '../../../src/shared/clock.ts';
import { type FolderReport, tidyFolder } from '../../../src/storage/drivers/file/tidy.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { type StoreReport, verifyStore } from '../../../src/storage/maintenance/verify-store.ts';
import { never } from './calls.ts';

/** What `tierkv storage verify` does with a folder of the file backend. */
export async function verifyFolder(folder: string): Promise<{ store: StoreReport; folder: FolderReport }> {
  const driver = createDriver('file', { path: folder });
  await driver.open(never);
  const store = await verifyStore(driver, { clock: systemClock, signal: never });
  await driver.close();
  return { store, folder: await tidyFolder(folder, false, never) };
}
