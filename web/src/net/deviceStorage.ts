/** The database that holds a document's copy on this device: opening it and deleting it. */

/** The one table: Yjs updates under rising numbers. */
export const UPDATES = 'updates';

const NAME_PREFIX = 'coscribe-note:';
/** Some browsers leave an open request hanging when storage is broken; opening a note must not hang with it. */
const OPEN_TIMEOUT_MS = 2000;

/**
 * Opens a document's database, empty if there is none.
 *
 * @throws when the browser gives no storage.
 */
export async function openDeviceStorage(id: string): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME_PREFIX + id, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(UPDATES, { autoIncrement: true });
  };
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('the database did not open')), OPEN_TIMEOUT_MS);
  });
  const database = await Promise.race([settled(request), late]);
  // Lets another tab delete the copy; this tab then says that it keeps nothing.
  database.onversionchange = () => database.close();
  return database;
}

/** Deletes a document's database. */
export async function deleteDeviceStorage(id: string): Promise<void> {
  await settled(indexedDB.deleteDatabase(NAME_PREFIX + id));
}

/** A request's result as a promise. */
export function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the database request failed'));
  });
}
