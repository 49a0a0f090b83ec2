import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { setNonce } from 'get-nonce';
import { type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { nonce } from './config.ts';
import { loadMessages, type Namespace, t } from './i18n.ts';
import { queryClient } from './session.ts';
import { Empty } from './states.tsx';
import { canStore } from './storage.ts';
import { cssVariables, theme } from './theme.ts';

/** Shows a document, once its texts are there. */
export async function start(namespaces: readonly Namespace[], render: () => ReactNode): Promise<void> {
  // For what locks scrolling behind dialogs.
  setNonce(nonce);
  await loadMessages(namespaces);
  const root = document.getElementById('root');
  if (root === null) throw new Error('The document has no root');
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <MantineProvider
          theme={theme}
          cssVariablesResolver={cssVariables}
          defaultColorScheme="auto"
          getStyleNonce={() => nonce}
        >
          {canStore ? render() : <CannotStore />}
        </MantineProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}

/** Without cookies nobody can sign in, and nothing else here works. */
function CannotStore() {
  return (
    <main>
      <Empty isPage title={t('cannot_store')} />
    </main>
  );
}
