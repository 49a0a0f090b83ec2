import { Badge, Code, Modal, Stack } from '@mantine/core';
import { t } from '../../shared/i18n.ts';
import { Time } from '../../shared/time.tsx';
import { Facts } from '../facts.tsx';
import { UserLink } from '../users-by-id.tsx';
import type { AuditEvent } from './search.ts';

export function ResultBadge({ result }: { result: AuditEvent['result'] }) {
  return (
    <Badge variant="light" color={result === 'failure' ? 'red' : 'teal'} tt="none">
      {t(`insight:audit.${result}`)}
    </Badge>
  );
}

/** All that the log has on an event. */
export function EventDialog({ event, close }: { event: AuditEvent | undefined; close: () => void }) {
  return (
    <Modal
      opened={event !== undefined}
      onClose={close}
      size="lg"
      title={event && t(`kinds.${event.kind}`)}
      closeButtonProps={{ 'aria-label': t('close') }}
    >
      {event && (
        <Stack gap="md">
          <Facts
            label={t(`kinds.${event.kind}`)}
            facts={[
              [t('insight:audit.when'), <Time key="time" value={event.time} />],
              [t('insight:audit.exact'), event.time],
              [t('insight:audit.kind'), <Code key="kind">{event.kind}</Code>],
              [t('insight:audit.result'), <ResultBadge key="result" result={event.result} />],
              [t('insight:audit.user'), event.user_id && <UserLink id={event.user_id} />],
              [t('insight:audit.actor'), event.actor && <UserLink id={event.actor} />],
              [t('insight:audit.network'), event.network],
              [t('insight:audit.request'), event.request_id && <Code>{event.request_id}</Code>],
              [t('insight:audit.id'), <Code key="id">{event.id}</Code>],
            ]}
          />
          {Object.keys(event.detail).length > 0 && (
            <Code block aria-label={t('insight:audit.detail')} tabIndex={0}>
              {JSON.stringify(event.detail, null, 2)}
            </Code>
          )}
        </Stack>
      )}
    </Modal>
  );
}
