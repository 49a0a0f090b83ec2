import type { PagesConfig } from '../../../src/http/pages-config.ts';

/** What the server told this page. */
export const config: PagesConfig = JSON.parse(
  document.getElementById('doorward-config')?.textContent ?? 'null',
);

/** Makes the style elements of libraries pass the content security policy. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[name=csp-nonce]')?.nonce ?? '';
