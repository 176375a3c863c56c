/** Storage in the browser: three object stores of IndexedDB with keys of their own. */

const NAME = "affekt";
const STORES = ["recordings", "audio", "jobs", "session"];

/** The result of a request as a promise. @param {IDBRequest} request */
const answered = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Database {
  /** @param {IDBDatabase} connection */
  constructor(connection) {
    this.connection = connection;
  }

  static async open() {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    return new Database(await answered(request));
  }

  /** All entries of a store. @returns {Promise<Map<string, any>>} */
  async entries(store) {
    const objects = this.connection.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all([
      answered(objects.getAllKeys()),
      answered(objects.getAll()),
    ]);
    return new Map(keys.map((key, i) => [key, values[i]]));
  }

  /** Writes in one transaction. @param {[string, string, any][]} writes  store, key and value;
   * undefined deletes */
  write(writes) {
    return new Promise((resolve, reject) => {
      const stores = [...new Set(writes.map(([store]) => store))];
      const transaction = this.connection.transaction(stores, "readwrite");
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      for (const [store, key, value] of writes) {
        const objects = transaction.objectStore(store);
        if (value === undefined) objects.delete(key);
        else objects.put(value, key);
      }
    });
  }
}
