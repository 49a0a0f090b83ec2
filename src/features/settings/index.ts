export { createSettingsView, type KnownSources, type ListedSetting, type SettingsView } from './list.ts';
export { settingRoutes } from './routes.ts';
