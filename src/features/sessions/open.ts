import { randomBytes } from 'node:crypto';
import type { Transaction } from '../../database/database.ts';
import { DoorwardError } from '../../errors.ts';
import type { Kernel } from '../../kernel.ts';
import { networkOf } from '../../network.ts';
import type { Accounts } from '../accounts/index.ts';
import type { LoginDevice } from '../throttle/index.ts';
import { browserFamily } from './device.ts';
import { hasSessionFrom, insertSession, listUserAgents, type SessionRow } from './store.ts';

const maxUserAgentLength = 512;

/** Where a request comes from, as far as it can be known. */
export interface Client {
  network: string;
  userAgent: string;
  /** What the device was given when the user last logged in from it. */
  deviceToken?: string | undefined;
}

/** A session that was opened, and what the device shows when it logs in again. */
export interface OpenedSession {
  session: SessionRow;
  device_token: string;
}

/**
 * Opens a session in `tx`, for somebody who has proved who they are and whose lock is held. A deletion that was scheduled
 * is taken back by it.
 * @throws DoorwardError `account_deactivated`, also when the account is gone by now.
 */
export async function openSession(
  kernel: Kernel,
  { accounts }: { accounts: Accounts },
  tx: Transaction,
  { userId, client, device, now }: { userId: number; client: Client; device: LoginDevice; now: Date },
): Promise<OpenedSession> {
  const { settings, events } = kernel;
  const user = await accounts.find(userId, tx);
  if (user !== undefined && user.delete_after !== null)
    await accounts.apply(tx, userId, { is_active: true }, 'owner');
  else if (!user?.is_active) throw new DoorwardError('account_deactivated');
  const time = now.toISOString();
  const session: SessionRow = {
    id: randomBytes(16).toString('base64url'),
    user_id: userId,
    generation: 1,
    generation_issued_at: time,
    generation_given_at: time,
    generation_used_at: null,
    created_at: time,
    last_seen_at: time,
    expires_at: new Date(now.getTime() + settings.SESSION_EXPIRE_DAYS * 86_400_000).toISOString(),
    ended_at: null,
    end_reason: null,
    end_network: null,
    network: client.network,
    user_agent: client.userAgent.slice(0, maxUserAgentLength),
  };
  const { network, user_agent } = session;
  const rememberedSince = new Date(now.getTime() - settings.SESSION_EXPIRE_DAYS * 86_400_000);
  const isFirst = user !== undefined && Date.parse(user.created_at) >= rememberedSince.getTime();
  const isNewDevice = !device.isKnown && (await isUnfamiliar(tx, session, { isFirst }));
  await insertSession(tx, session);
  const device_token = await device.issueDeviceToken(tx, userId);
  await events.emit(tx, 'session.opened', { user_id: userId, network, user_agent, isNewDevice });
  return { session, device_token };
}

/**
 * Whether the user has not logged in with this browser in this network, as far as is remembered; `isFirst` tells what it is
 * when nothing is: the first login, or one to an account that nobody has used for so long that its sessions are forgotten.
 */
async function isUnfamiliar(
  tx: Transaction,
  session: Pick<SessionRow, 'user_id' | 'network' | 'user_agent'>,
  { isFirst }: { isFirst: boolean },
): Promise<boolean> {
  // A program that logs in every minute leaves thousands, all alike.
  if (await hasSessionFrom(tx, session)) return false;
  const { user_id, network, user_agent } = session;
  const before = await listUserAgents(tx, user_id);
  const identify = (one: { network: string; user_agent: string }) =>
    `${browserFamily(one.user_agent)} ${networkOf(one.network)}`;
  const here = identify({ network, user_agent });
  return before.length === 0 ? !isFirst : !before.some((one) => identify(one) === here);
}
