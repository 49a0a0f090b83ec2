export { type MailKind, type MailParams, mailKinds } from './kinds.ts';
export {
  createMailRenderer,
  type Mail,
  type MailContent,
  type MailRenderer,
  type MailSettings,
} from './renderer.ts';
export { sampleMail } from './samples.ts';
