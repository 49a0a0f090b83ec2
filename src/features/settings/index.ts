export { createSettingsView, type KnownSources, type SettingsView } from './list.ts';
export { settingRoutes } from './routes.ts';
