// A key a request that creates or pays: sent again because no answer came, it happens once.
import { ApiError } from "./problem";

/** A UUID. `crypto.randomUUID` is there on secure origins only, and a lab often has plain HTTP. */
export function newKey(source: Partial<Crypto> = globalThis.crypto): string {
  if (typeof source.randomUUID === "function") return source.randomUUID();
  const bytes = new Uint8Array(16);
  if (typeof source.getRandomValues === "function") {
    source.getRandomValues(bytes);
  } else {
    // Unique enough for a key that is scoped to its caller; it is no secret.
    bytes.forEach((_, i) => (bytes[i] = Math.floor(Math.random() * 256)));
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [8, 12, 16, 20].reduceRight((text, at) => `${text.slice(0, at)}-${text.slice(at)}`, hex);
}

/** How many unanswered requests keep their key; the oldest is forgotten first. */
const UNANSWERED_KEYS = 32;

/**
 * Gives a request that was not answered its key again when the user sends the same once more.
 * After any answer, the same request is a new wish (two equal top-ups are two).
 */
export class IdempotencyKeys {
  private readonly unanswered = new Map<string, string>();

  async with<T>(request: string, send: (key: string) => Promise<T>): Promise<T> {
    const key = this.unanswered.get(request) ?? newKey();
    this.remember(request, key);
    try {
      const answer = await send(key);
      this.unanswered.delete(request);
      return answer;
    } catch (thrown) {
      if (thrown instanceof ApiError && !thrown.unanswered) this.unanswered.delete(request);
      throw thrown;
    }
  }

  private remember(request: string, key: string) {
    this.unanswered.delete(request);
    this.unanswered.set(request, key);
    const oldest = this.unanswered.keys().next().value;
    if (this.unanswered.size > UNANSWERED_KEYS && oldest !== undefined) {
      this.unanswered.delete(oldest);
    }
  }
}
