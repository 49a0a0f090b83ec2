/**
 * Loaded before each test file by `npm test`. To tell which test an error came from that nobody caught, `node:test` follows
 * every promise of the process, which takes a sixth of the processor's time. Without it such an error still fails its
 * file; `node --test FILE`, which does not load this, names the test.
 */
import asyncHooks from 'node:async_hooks';

const { createHook } = asyncHooks;
// `node:test` is the first to ask for a hook.
asyncHooks.createHook = () => {
  asyncHooks.createHook = createHook;
  return createHook({});
};
