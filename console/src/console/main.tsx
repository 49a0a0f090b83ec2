import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import { Notifications } from '@mantine/notifications';
import { RouterProvider } from '@tanstack/react-router';
import { start } from '../shared/start.tsx';
import { router } from './router.tsx';

start(['shared', 'access', 'account', 'users', 'insight'], () => (
  <>
    <Notifications position="bottom-right" />
    <RouterProvider router={router} />
  </>
));
