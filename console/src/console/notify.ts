import { notifications } from '@mantine/notifications';
import { t } from '../shared/i18n.ts';

/** Says for a while that something was done. */
export function notify(message: string): void {
  notifications.show({ message, color: 'green', closeButtonProps: { 'aria-label': t('close') } });
}
