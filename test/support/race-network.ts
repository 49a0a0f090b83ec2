import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GivenSettings } from '../../src/settings.ts';
import type { RaceTime } from './race-time.ts';
import type { Witness } from './race-witness.ts';

/** An instance as a process that can be killed at any moment and comes back on the same port. */
export class RaceServer {
  readonly #settings: GivenSettings;
  #port = 0;
  #process: { readonly child: ChildProcess; readonly ended: Promise<unknown> } | undefined;

  constructor(settings: GivenSettings) {
    this.#settings = settings;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(now: number): Promise<void> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'race-server.ts')], {
      env: {
        ...process.env,
        RACE_PORT: String(this.#port),
        RACE_NOW: String(now),
        RACE_SETTINGS: JSON.stringify(this.#settings),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    const [line] = await Promise.race([
      once(createInterface(child.stdout), 'line'),
      ended.then(() => {
        throw new Error('The server ended at its start');
      }),
    ]);
    this.#port = Number(line);
    this.#process = { child, ended };
  }

  async kill(): Promise<void> {
    if (this.#process === undefined) return;
    const { child, ended } = this.#process;
    this.#process = undefined;
    child.kill('SIGKILL');
    await ended;
  }
}

/** Carries requests to one of the servers, under the eyes of the witness. */
export class RaceNetwork {
  readonly #servers: readonly RaceServer[];
  readonly #time: RaceTime;
  readonly #witness: Witness;

  constructor(servers: readonly RaceServer[], time: RaceTime, witness: Witness) {
    this.#servers = servers;
    this.#time = time;
    this.#witness = witness;
  }

  /** @throws TypeError when the server is away, or goes away before it has answered. */
  deliver(server: number, path: string, init: RequestInit): Promise<Response> {
    return this.#time.during(this.#deliver(server, path, init));
  }

  async #deliver(server: number, path: string, init: RequestInit): Promise<Response> {
    const now = this.#time.now;
    const headers = new Headers(init.headers);
    headers.set('x-race-now', String(now));
    const { signal: _, ...rest } = init;
    const response = await fetch(`${this.#servers[server]?.url}${path}`, { ...rest, headers });
    const text = await response.text();
    const answer = text.startsWith('{') ? JSON.parse(text) : undefined;
    const access = headers.get('authorization')?.slice('Bearer '.length);
    if (path === '/auth/refresh') {
      this.#witness.sawRefresh(now, JSON.parse(String(init.body)).refresh_token, response.status, answer);
    } else if (path === '/auth/login' && response.ok) this.#witness.sawLogin(now, answer);
    else if (access !== undefined) this.#witness.sawAccess(now, access, response.status);
    return new Response(text === '' ? null : text, { status: response.status, headers: response.headers });
  }
}
