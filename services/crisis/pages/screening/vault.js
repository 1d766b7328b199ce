// What lies on the tablet is encrypted: AES-GCM under a key that is derived from the surveyor's PIN and never stored.

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PROOF = "xinqiao-screening";

/** A PIN does not open what another one closed. */
export class WrongPin extends Error {}

/** A random salt and the number of rounds: what a vault needs besides the PIN. */
export function newLock(rounds) {
  return { salt: crypto.getRandomValues(new Uint8Array(16)), rounds, proof: null };
}

async function keyOf(pin, lock) {
  const material = await crypto.subtle.importKey("raw", encoder.encode(pin.normalize("NFKC")), "PBKDF2", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: lock.salt, iterations: lock.rounds },
    material,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
}

/** Open the lock with a PIN, or set it where it has none yet; throws WrongPin. `lock.proof` is set by the first. */
export async function openVault(pin, lock) {
  const vault = new Vault(await keyOf(pin, lock));
  if (lock.proof === null) {
    lock.proof = await vault.seal("proof", PROOF);
    return vault;
  }
  if ((await vault.open("proof", lock.proof)) !== PROOF) throw new WrongPin();
  return vault;
}

class Vault {
  #key;

  constructor(key) {
    this.#key = key;
  }

  /** Encrypt a value under a label; what is sealed under one label does not open under another. */
  async seal(label, value) {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const plain = encoder.encode(JSON.stringify(value));
    const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: encoder.encode(label) }, this.#key, plain);
    return { iv, data: new Uint8Array(data) };
  }

  /** The value again; throws WrongPin for another key, another label, or what was changed. */
  async open(label, sealed) {
    try {
      const plain = await crypto.subtle.decrypt(
        { name: "AES-GCM", iv: sealed.iv, additionalData: encoder.encode(label) },
        this.#key,
        sealed.data,
      );
      return JSON.parse(decoder.decode(plain));
    } catch {
      throw new WrongPin();
    }
  }
}
