import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const source = join(import.meta.dirname, '../src');

/** The server that `npm run dev` here is a front for: `npm run dev` in the folder above. */
const server = process.env.DOORWARD_URL ?? 'http://127.0.0.1:8000';

/** Serves the two documents as the server does: each at every path below its own, with what the server tells its pages. */
const documents: Plugin = {
  name: 'documents',
  apply: 'serve',
  configureServer({ middlewares }) {
    middlewares.use((request, _response, next) => {
      const [, name] = /^\/(account|console)(?=[/?]|$)/.exec(request.url ?? '') ?? [];
      if (name !== undefined) request.url = `/${name}.html`;
      next();
    });
  },
  async transformIndexHtml(html) {
    const page = await (await fetch(`${server}/account`)).text();
    const [block] = /<script [^>]*id="doorward-config">.*?<\/script>/.exec(page) ?? [];
    if (block === undefined) throw new Error(`${server}/account is no page of Doorward`);
    return html.replace('<!--config-->', () => block);
  },
};

export default defineConfig({
  plugins: [react(), documents],
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
