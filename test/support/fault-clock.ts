/**
 * Preloaded into a process (`--import`), sets its wall clock wrong: by as many milliseconds as the file FAULT_CLOCK holds.
 * What measures time spans, `performance.now()` and timers, goes on, as it does when the clock of a machine is set.
 */
import { readFileSync } from 'node:fs';

const file = process.env.FAULT_CLOCK ?? '';
const RealDate = Date;
let offsetMs = 0;
setInterval(() => {
  offsetMs = Number(readFileSync(file, 'utf8')) || 0;
}, 20).unref();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [RealDate.now() + offsetMs] : args, newTarget),
  get: (target, name) =>
    name === 'now' ? () => RealDate.now() + offsetMs : Reflect.get(target, name, target),
});
