import { createHash } from 'node:crypto';

/** From how many uses on a text has a name. */
const USES_BEFORE = 5;
/** Each is some ten kilobytes of memory on every connection. */
const MOST_NAMES = 100;
const MOST_COUNTED = 1000;

/**
 * Which statements a connection to PostgreSQL prepares at their first use, and under which name: those that recur. Reading,
 * rewriting and planning one takes PostgreSQL several times as long as carrying out a read or a write by key.
 */
export class PreparedStatements {
  readonly #names = new Map<string, string>();
  readonly #uses = new Map<string, number>();
  /** Names are not used again after `forget`. */
  #epoch = 0;

  /** A name for the text, which it keeps. */
  nameOf(text: string): string {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = createHash('sha256').update(`${this.#epoch} ${text}`).digest('hex').slice(0, 32);
      this.#names.set(text, name);
    }
    return name;
  }

  /** The name of a text that is used once more, if it has one. */
  count(text: string): string | undefined {
    const name = this.#names.get(text);
    if (name !== undefined || this.#names.size >= MOST_NAMES) return name;
    const uses = (this.#uses.get(text) ?? 0) + 1;
    if (uses > USES_BEFORE) {
      this.#uses.delete(text);
      return this.nameOf(text);
    }
    if (this.#uses.size >= MOST_COUNTED) this.#uses.clear();
    this.#uses.set(text, uses);
    return undefined;
  }

  /** Has every connection prepare anew: a newer version of Doorward has changed a table of the statement with the name. */
  forget(name: string | undefined): void {
    // Others that had it prepared say so later, when all have new names already.
    if (![...this.#names.values()].some((known) => known === name)) return;
    this.#epoch++;
    this.#names.clear();
  }
}
