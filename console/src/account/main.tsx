// First: see there.
import './mail-link.ts';
import './styles.ts';
import { RouterProvider } from '@tanstack/react-router';
import { start } from '../shared/start.tsx';
import { router } from './router.tsx';

start(['shared', 'access', 'account'], () => <RouterProvider router={router} />);
