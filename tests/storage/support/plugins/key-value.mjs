/** Stores in SGLang's shape, as plugins of tests: everything, or no more than is needed. */
class Smallest {
  values = new Map();
  get(key) {
    return this.values.get(key) ?? null;
  }
  set(key, value) {
    this.values.set(key, value);
    return true;
  }
  exists(key) {
    return this.values.has(key);
  }
}

class Whole extends Smallest {
  async batch_get(keys) {
    return keys.map((key) => this.get(key));
  }
  async batch_set(keys, values) {
    keys.forEach((key, i) => void this.set(key, values[i]));
    return true;
  }
  async batch_exists(keys) {
    const missing = keys.findIndex((key) => !this.exists(key));
    return missing < 0 ? keys.length : missing;
  }
  async delete(key) {
    return this.values.delete(key);
  }
}

export { Smallest, Whole };
