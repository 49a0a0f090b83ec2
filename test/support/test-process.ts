/** Loaded before each test file by `npm test`. */
import asyncHooks from 'node:async_hooks';

/**
 * To tell which test an error came from that nobody caught, `node:test` follows every promise of the process, which takes a
 * sixth of the processor's time. Without it such an error still fails its file; `node --test FILE`, which does not load
 * this, names the test. `node:test` is the first to ask for a hook, so it must not be loaded before.
 */
const { createHook } = asyncHooks;
let asked = false;
asyncHooks.createHook = () => {
  asyncHooks.createHook = createHook;
  asked = true;
  return createHook({});
};
const { after } = await import('node:test');

/** A file whose tests are over and which does not end, as something was left open, would hold up the run for ever. */
const lingerMs = 60_000;
after(() => {
  setTimeout(() => {
    console.error(`The tests are over, but not the process: ${process.getActiveResourcesInfo().join(', ')}`);
    process.exit(1);
  }, lingerMs).unref();
});
if (!asked) throw new Error('node:test follows every promise: it did not ask here for the hook');
