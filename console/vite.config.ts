import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const source = join(import.meta.dirname, '../src');

/** The server that `npm run dev` here is a front for: `npm run dev` in the folder above. */
const server = process.env.DOORWARD_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react()],
  // The server puts the path before it that browsers see.
  base: './',
  resolve: { alias: { 'doorward/client': join(source, 'client/index.ts') } },
  build: {
    target: 'es2023',
    emptyOutDir: true,
    // Inlined files would be outside of what the content security policy names.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { account: 'account.html', console: 'console.html' } },
  },
  server: { proxy: { '/auth': server } },
});
