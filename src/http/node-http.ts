/**
 * Node's `http`, for what is loaded at every start. `import … from 'node:http'` asks for all of its exports, also for
 * `WebSocket` and its kin, which load Node's own HTTP client: 13 MB that a server has no use for.
 */
export const { METHODS, STATUS_CODES } = process.getBuiltinModule('node:http');
