import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { sql } from 'kysely';
import { parseEmailAddress } from '../../src/email-address.ts';
import { insertUser, searchable, userColumns } from '../../src/features/accounts/store.ts';
import type { ListInput } from '../../src/features/admin/list.ts';
import type { User } from '../../src/index.ts';
import { type Journey, journey } from '../support/journey.ts';

type NewUser = { email: string; name: string; is_active: boolean; is_admin: boolean; created_at: string } & {
  email_verified?: boolean;
  delete_after?: string | null;
};

/** Accounts without passwords, because thousands of hashes would take minutes. */
async function addUsers({ doorward }: Journey, users: NewUser[]): Promise<User[]> {
  return doorward.kernel.db.transaction(async (tx) => {
    const added: User[] = [];
    for (const { email, created_at, delete_after = null, email_verified = true, ...user } of users) {
      const address = parseEmailAddress(email);
      assert.ok(address !== undefined, email);
      const row = await insertUser(tx, {
        ...address,
        ...user,
        email_verified,
        locale: null,
        now: created_at,
      });
      assert.ok(row !== undefined, email);
      if (delete_after !== null)
        await tx.updateTable('users').set({ delete_after }).where('id', '=', row.id).execute();
      added.push({ ...row, delete_after });
    }
    return added;
  });
}

const fold = (text: string) => text.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ');

/** What a user is searched by, and in UTF-8 sorted by; worked out once. */
interface Texts {
  readonly key: string;
  readonly email: string;
  readonly name: string;
  readonly sorted: Readonly<Partial<Record<string, Buffer>>>;
}

const texts = new WeakMap<User, Texts>();
function textsOf(user: User): Texts {
  const known = texts.get(user);
  if (known !== undefined) return known;
  const key = parseEmailAddress(user.email)?.email_key ?? '';
  const [email, name] = [fold(user.email), fold(user.name)];
  const sorted = {
    email: Buffer.from(key),
    name: Buffer.from(name),
    created_at: Buffer.from(user.created_at),
  };
  const made = { key, email, name, sorted };
  texts.set(user, made);
  return made;
}

/** What the list must answer, found in the simplest way. */
function expected(users: User[], input: Partial<ListInput>): User[] {
  const q = fold((input.q ?? '').trim());
  const found = users.filter((user) => {
    if (input.is_active !== undefined && user.is_active !== input.is_active) return false;
    if (input.is_admin !== undefined && user.is_admin !== input.is_admin) return false;
    const isClosed = user.delete_after !== null;
    if (input.state === 'deletion_scheduled' && !isClosed) return false;
    if (input.state === 'pending' && (user.email_verified || !user.is_active || isClosed)) return false;
    const { key, email, name } = textsOf(user);
    if ([...q].length >= 3) return email.includes(q) || name.includes(q);
    return key.startsWith(q) || name.startsWith(q);
  });
  const sort = input.sort ?? 'id';
  const sign = sort.startsWith('-') ? -1 : 1;
  const field = sort.replace('-', '');
  const compare = (a: User, b: User): number => {
    const [left, right] = [textsOf(a).sorted[field], textsOf(b).sorted[field]];
    return left === undefined || right === undefined ? 0 : Buffer.compare(left, right);
  };
  return found.sort((a, b) => sign * (compare(a, b) || a.id - b.id));
}

const words = [
  'Anna',
  'anna',
  'ANNA',
  'Zoë',
  'Zoe\u0308',
  'ΟΔΟΣ',
  'Οδοσας',
  '李小龙',
  '100%',
  'a_b',
  'a-b c',
  'ajbwc',
  '"q"',
  "O'Hara",
  'back\\slash',
  '😀😀😀',
  'ab',
  '*',
  'NULL',
];
const sorts = ['id', '-id', 'email', '-email', 'name', '-name', 'created_at', '-created_at'];

/** A few hundred users out of few words, so that every order has ties and every search finds several. */
function manyUsers(): NewUser[] {
  return Array.from({ length: 260 }, (_, index) => {
    const word = words[index % words.length] ?? '';
    const other = words[(index * 7 + 3) % words.length] ?? '';
    const local = /^[\w']+$/.test(word) ? word : `u.${index % 3 === 0 ? 'ß' : 'x'}`;
    return {
      email: `${local}+${(index * 37) % 260}@${index % 4 === 0 ? 'Bücher.example' : 'Some.example.org'}`,
      name: index % 5 === 0 ? word : `${word} ${other}`,
      is_active: index % 3 !== 0,
      is_admin: index % 4 === 1,
      created_at: `2026-01-0${1 + (index % 4)}T00:00:00.00${index % 2}Z`,
      email_verified: index % 5 !== 2,
      delete_after: index % 13 === 0 ? '2026-03-01T00:00:00.000Z' : null,
    };
  });
}

function manyFillers(): NewUser[] {
  return Array.from({ length: 5_000 }, (_, index) => ({
    email: `filler${(index * 7919) % 5000}@filler.example.net`,
    name: `Filler ${index % 50}`,
    is_active: index % 7 !== 0,
    is_admin: index % 11 === 0,
    email_verified: index % 3 !== 0,
    created_at: `2026-02-01T00:00:0${index % 10}.000Z`,
  }));
}

const queries = fc.record(
  {
    q: fc.oneof(
      fc.constantFrom(
        '',
        ' ',
        'a',
        'AN',
        'ann',
        'ANNA',
        'anna anna',
        'zoë',
        'ZOE\u0308',
        'οδος',
        'ΟΔΟΣ',
        'οδοσ',
        '李',
        '小龙',
        '李小龙',
        '%',
        '100%',
        '%%%',
        '_',
        'a_b',
        '___',
        'a-b c',
        'a-b',
        'ajb',
        'AJB',
        '-b ',
        'ß+',
        '"q"',
        "'",
        "o'h",
        "o'hara",
        '\\',
        'k\\s',
        'back\\slash',
        '😀',
        '😀😀',
        '😀😀😀',
        'example',
        '@some',
        'ücher',
        'xn--',
        '+1',
        'nothing at all',
        'null',
        'and',
        'or not',
        'a*',
        '*',
        '**a',
        '-a',
        'name:anna',
        '(',
        '.exa',
      ),
      fc.string({ maxLength: 4 }),
    ),
    is_active: fc.boolean(),
    is_admin: fc.boolean(),
    state: fc.constantFrom('pending' as const, 'deletion_scheduled' as const),
    sort: fc.constantFrom(...sorts),
    skip: fc.integer({ min: 0, max: 30 }),
    limit: fc.integer({ min: 1, max: 60 }),
  },
  { requiredKeys: ['sort', 'skip', 'limit'] },
);

journey('a list is what a filter and a sort in memory give, whichever way it is found', async (open) => {
  const journey = await open();
  const { doorward } = journey;
  const many = manyUsers();
  const users = await addUsers(journey, many.slice(0, 130));
  // Where an index is in parts, the others are in another.
  await doorward.kernel.db.transaction((tx) => doorward.kernel.db.raiseIdentity(tx, 'users', 4_050));
  users.push(...(await addUsers(journey, many.slice(130))));
  const workers: unknown[] = [];
  subscribe('worker_threads', (message) => workers.push(message));
  await doorward.admin.list({ q: '李小龙', sort: '-name', limit: 50, count: true });
  assert.deepEqual(workers, [], 'a search among few users starts no thread');
  // So many that not all of them are met at the beginning of a list.
  const fillers = manyFillers();
  users.push(...(await addUsers(journey, fillers.splice(0, 300))));
  const check = fc.asyncProperty(queries, async (query) => {
    const want = expected(users, query);
    const page = await doorward.admin.list({ ...query, count: true });
    assert.deepEqual(page.users, want.slice(query.skip, query.skip + query.limit));
    assert.equal(page.total, want.length);
    assert.equal(page.next !== undefined, want.length > query.skip + query.limit);
    if (page.next === undefined) return;
    const next = await doorward.admin.list({ ...query, skip: undefined, cursor: page.next, count: true });
    const from = query.skip + query.limit;
    assert.deepEqual(next.users, want.slice(from, from + query.limit));
    assert.equal(next.total, want.length);
  });
  await fc.assert(check, { numRuns: 200 });

  // So many that a search for what all have in common is answered by walking the table.
  users.push(...(await addUsers(journey, fillers)));
  const filters: Partial<ListInput>[] = [
    ...[{}, { is_active: false }, { is_admin: true, is_active: true }],
    ...[{ state: 'pending' as const }, { state: 'deletion_scheduled' as const, is_active: true }],
  ];
  for (const q of ['example', 'filler', 'f', undefined]) {
    for (const sort of sorts) {
      for (const flags of filters) {
        const query = { ...flags, sort, limit: 50, ...(q === undefined ? {} : { q }) };
        const want = expected(users, query);
        const first = await doorward.admin.list({ ...query, count: false });
        assert.deepEqual(first.users, want.slice(0, 50), `${q} ${sort}`);
        if (first.next === undefined) continue;
        const second = await doorward.admin.list({ ...query, cursor: first.next, count: false });
        assert.deepEqual(second.users, want.slice(50, 100), `${q} ${sort}, by cursor`);
        const skipped = await doorward.admin.list({ ...query, skip: 50, count: false });
        assert.deepEqual(skipped.users, second.users, `${q} ${sort}, by skip`);
      }
    }
  }
});

/** The address of the next page. */
function nextOf(link: string | undefined): string | undefined {
  if (link === undefined) return undefined;
  const path = /^<(\/auth\/users\?[^>]+)>; rel="next"$/.exec(link)?.[1];
  assert.ok(path !== undefined, link);
  return path;
}

journey('following the Link header meets every user once, also while others come and go', async (open) => {
  const journey = await open();
  const { request, signIn, doorward } = journey;
  const admin = await signIn({ is_admin: true });
  for (const [round, sort] of sorts.entries()) {
    const stays = await addUsers(
      journey,
      manyUsers()
        .slice(0, 40)
        .map((user) => ({ ...user, email: `r${round}.${user.email}` })),
    );
    const goes = await addUsers(
      journey,
      manyUsers()
        .slice(40, 60)
        .map((user) => ({ ...user, email: `r${round}.${user.email}` })),
    );
    const seen: number[] = [];
    let path: string | undefined = `/auth/users?limit=9&sort=${sort}&q=r${round}.&count=true`;
    for (let page = 0; path !== undefined; page += 1) {
      const answer = await request('GET', path, { token: admin.access_token });
      assert.equal(answer.status, 200);
      assert.match(answer.headers['x-total-count'] ?? '', /^\d+$/);
      seen.push(...answer.body.map(({ id }: { id: number }) => id));
      const gone = goes.pop();
      if (gone) await doorward.admin.delete(gone.id);
      await addUsers(journey, [
        {
          email: `r${round}.new${page}@example.com`,
          name: 'Anna',
          is_active: true,
          is_admin: false,
          created_at: '2026-01-02T00:00:00.000Z',
        },
      ]);
      path = nextOf(answer.headers.link);
      if (path) assert.ok(new URLSearchParams(path.split('?')[1]).get('cursor'), 'a cursor leads on');
    }
    assert.equal(new Set(seen).size, seen.length, `${sort}: nobody twice`);
    for (const { id } of stays) assert.ok(seen.includes(id), `${sort}: ${id} is met`);
  }
});

journey('skip and limit are those of the reference', async (open) => {
  const journey = await open();
  const { request, signIn } = journey;
  const { access_token: token } = await signIn({ is_admin: true });
  await addUsers(journey, manyUsers().slice(0, 59));
  const list = async (query: string) => {
    const { status, body, headers } = await request('GET', `/auth/users${query}`, { token });
    assert.equal(status, 200, query);
    return { ids: body.map(({ id }: { id: number }) => id) as number[], headers };
  };
  const all = (await list('?limit=200')).ids;
  assert.equal(all.length, 60);
  assert.deepEqual(
    all,
    [...all].sort((a, b) => a - b),
    'by ascending id',
  );
  assert.deepEqual((await list('')).ids, all.slice(0, 50));
  assert.deepEqual((await list('?skip=0&limit=1')).ids, all.slice(0, 1));
  assert.deepEqual((await list('?skip=55')).ids, all.slice(55));
  assert.deepEqual((await list('?skip=60')).ids, []);
  assert.deepEqual((await list('?skip=2147483647&limit=200')).ids, []);
  assert.deepEqual(
    (await list('?unknown=1&limit=2')).ids,
    all.slice(0, 2),
    'as FastAPI, what is unknown is ignored',
  );

  const first = await list('?skip=10&limit=20');
  assert.equal(first.headers['x-total-count'], undefined, 'counted only when asked');
  const next = nextOf(first.headers.link) ?? '';
  assert.ok(!next.includes('skip='), 'the cursor stands for the skip');
  const { link } = (await list('?limit=20&password=s3cret&sort=-id')).headers;
  assert.match(nextOf(link) ?? '', /^\/auth\/users\?limit=20&sort=-id&cursor=[\w%-]+$/);
  const page = await request('GET', next, { token });
  assert.deepEqual(
    page.body.map(({ id }: { id: number }) => id),
    all.slice(30, 50),
  );
  assert.equal((await list('?limit=60')).headers.link, undefined, 'no next page after the last');
  assert.equal((await list('?limit=2&count=true')).headers['x-total-count'], '60');
});

journey('a cursor that is not of this list, or beside skip, is 422', async (open) => {
  const journey = await open();
  const { request, signIn } = journey;
  const { access_token: token } = await signIn({ is_admin: true });
  await addUsers(journey, manyUsers().slice(0, 20));
  const cursors = new Map<string, string>();
  for (const sort of sorts) {
    const { headers } = await request('GET', `/auth/users?limit=5&sort=${sort}`, { token });
    const cursor = new URLSearchParams(nextOf(headers.link)?.split('?')[1]).get('cursor') ?? '';
    cursors.set(sort, cursor);
    const own = await request('GET', `/auth/users?sort=${sort}&cursor=${cursor}`, { token });
    assert.equal(own.status, 200);
  }
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const bad: [sort: string, cursor: string][] = [
    ...sorts.flatMap((sort) =>
      sorts
        .filter((other) => other !== sort)
        .map((other): [string, string] => [sort, cursors.get(other) ?? '']),
    ),
    ...[
      '',
      'x',
      '%F0%9F%98%80',
      'e30',
      '%00',
      'null',
      encode(null),
      encode([]),
      encode({}),
      encode(['id']),
    ].map((cursor): [string, string] => ['id', cursor]),
    ['id', encode(['id', 1, '1'])],
    ['id', encode(['id', 1, 1.5])],
    ['id', encode(['id', 1, 1e300])],
    ['id', encode(['id', 1, 1, 1])],
    ['email', encode(['email', 1, 1])],
    ['email', encode(['email', null, 1])],
    ['email', encode(['email', 'a\0', 1])],
    ['email', encode(['email', ['a'], 1])],
    ['name', Buffer.from('["name","\\ud800",1]').toString('base64url')],
    ['created_at', encode(['created_at', 'yesterday', 1])],
    ['created_at', encode(['created_at', '2026-13-41T00:00:00.000Z', 1])],
    ['created_at', encode(['created_at', '2026-02-30T00:00:00.000Z', 1])],
    ['created_at', encode(['created_at', '0000-01-01T00:00:00.000Z', 1])],
    ['created_at', encode(['created_at', '+010000-01-01T00:00:00.000Z', 1])],
  ];
  const asked = bad.map(([sort, cursor]) => `sort=${sort}&cursor=${cursor}`);
  const own = `cursor=${cursors.get('id')}`;
  asked.push(`${own}&skip=1`, `skip=0&${own}`, `${own}&${own}`, `cursor=${'A'.repeat(2049)}`);
  for (const query of asked) {
    const answer = await request('GET', `/auth/users?${query}`, { token });
    assert.deepEqual([answer.status, answer.body.code], [422, 'validation_error'], query);
    assert.deepEqual(answer.body.detail[0].loc, ['query', 'cursor'], query);
  }
});

journey(
  'who stands behind the first 4,000 of an order is found, by few letters and by many',
  async (open) => {
    const journey = await open();
    const { doorward, request, signIn } = journey;
    const { access_token: token } = await signIn({ email: 'admin@example.com', is_admin: true });
    const account = (email: string, name: string) => ({
      ...{ email, name, is_active: true, is_admin: false },
      created_at: '2026-01-01T12:00:00.000Z',
    });
    await addUsers(journey, [
      ...Array.from({ length: 4_320 }, (_, index) => account(`a${index}@example.com`, `Aaa ${index}`)),
      account('zz-last@example.org', 'Zz Last'),
    ]);
    const found = await doorward.admin.list({ q: 'zz', sort: 'id', limit: 1, count: false });
    const [last] = found.users;
    assert.ok(last !== undefined);
    await doorward.kernel.db.transaction((tx) =>
      tx
        .updateTable('users')
        .set({ delete_after: '2026-03-01T00:00:00.000Z' })
        .where('id', '=', last.id)
        .execute(),
    );
    for (const sort of sorts) {
      for (const q of [undefined, 'zz', 'last', 'a']) {
        const query = { sort, limit: 50, count: true, ...(q === undefined ? {} : { q }) };
        const { users, total } = await doorward.admin.list({ ...query, state: 'deletion_scheduled' });
        const want: number[] = q === 'a' ? [] : [last.id];
        assert.deepEqual([users.map(({ id }) => id), total], [want, want.length], `${q} ${sort}`);
        assert.equal((await doorward.admin.list({ ...query, state: 'pending' })).total, 0);
      }
    }
    for (const q of ['z', 'zz', 'last', 'example.org']) {
      for (const sort of ['name', 'email', 'id', 'created_at']) {
        const { status, body, text } = await request('GET', `/auth/users?q=${q}&sort=${sort}`, { token });
        assert.equal(status, 200, text);
        assert.deepEqual(
          body.map(({ email }: { email: string }) => email),
          ['zz-last@example.org'],
          `${q} ${sort}`,
        );
      }
    }
  },
);

journey(
  'pages of those who stand far apart from the rest follow each other, at both ends of an order',
  async (open) => {
    const journey = await open();
    const { doorward } = journey;
    const date = (index: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, index % 7)).toISOString();
    const users = await addUsers(
      journey,
      Array.from({ length: 4_320 }, (_, index) => ({
        ...{ email: `m${index}@example.com`, name: `Mmm ${index}`, is_active: true, is_admin: false },
        created_at: '2026-01-02T00:00:00.000Z',
      })),
    );
    // Into two parts of an index that has some; U+FA0E is before an emoji, and behind it in UTF-16.
    await doorward.kernel.db.transaction((tx) => doorward.kernel.db.raiseIdentity(tx, 'users', 8_170));
    const apart = (index: number) => ({
      email: `${['zz', 'aa', 'mm'][index % 3]}.${(index * 7) % 45}@apart.example`,
      name: `${['Zz', 'Mm', 'Aa', 'zz'][index % 4]} Apart${index % 5 === 0 ? '' : index % 2 === 0 ? ' 😀' : ' \u{FA0E}'}`,
      ...{ is_active: index % 4 !== 3, is_admin: index % 9 === 0, created_at: date(index) },
    });
    users.push(
      ...(await addUsers(
        journey,
        Array.from({ length: 45 }, (_, index) => apart(index)),
      )),
    );
    const filters: Partial<ListInput>[] = [{}, { is_active: true }, { is_active: false, is_admin: false }];
    for (const q of ['z', 'aa', 'apart']) {
      for (const sort of sorts) {
        for (const flags of filters) {
          const query = { ...flags, q, sort, limit: 11, count: false };
          const want = expected(users, query);
          const found: User[] = [];
          let cursor: string | undefined;
          do {
            const page = await doorward.admin.list({ ...query, cursor });
            found.push(...page.users);
            cursor = page.next;
          } while (cursor !== undefined);
          assert.deepEqual(found, want, `${q} ${sort} ${JSON.stringify(flags)}`);
          const skipped = await doorward.admin.list({ ...query, skip: 17, limit: 14 });
          assert.deepEqual(skipped.users, want.slice(17, 31), `${q} ${sort}, by skip`);
        }
      }
    }
  },
);

journey(
  'a letter with which tens of thousands of other names begin is found in the order of emails',
  async (open) => {
    const { doorward } = await open();
    const { db } = doorward.kernel;
    const now = '2026-01-01T00:00:00.000Z';
    const ends = 600;
    const count = 30_400 + 2 * ends;
    await db.transaction(async (tx) => {
      for (let from = 0; from < count; from += 800) {
        const rows = Array.from({ length: Math.min(800, count - from) }, (_, offset) => {
          const index = from + offset;
          const letter = index < ends ? 'a' : index < count - ends ? 'n' : 'z';
          const email = `${letter === 'n' ? 'e' : letter}${(index * 7919) % 100_003}@example.com`;
          const name = `${letter} ${index % 900}`;
          return {
            ...{ email, email_key: email, name, name_key: name },
            search_text: `${searchable(email)}\n${searchable(name)}`,
            ...{ is_active: index % 2 === 0, is_admin: false, created_at: now, updated_at: now },
            ...{ email_verified: true, email_set_at: now },
          };
        });
        await tx.insertInto('users').values(rows).execute();
      }
    });
    // Which PostgreSQL does by itself, later.
    await db.write((writer) => sql`analyze users`.execute(writer));
    const users = await db.read.selectFrom('users').select(userColumns).execute();
    const filters: Partial<ListInput>[] = [{}, { is_active: false }];
    for (const sort of ['email', '-email']) {
      for (const flags of filters) {
        const query = { ...flags, q: 'n', sort, limit: 50, count: false };
        const want = expected(users, query);
        const first = await doorward.admin.list(query);
        assert.deepEqual(first.users, want.slice(0, 50), sort);
        const second = await doorward.admin.list({ ...query, cursor: first.next });
        assert.deepEqual(second.users, want.slice(50, 100), `${sort}, by cursor`);
        const skipped = await doorward.admin.list({ ...query, skip: 50 });
        assert.deepEqual(skipped.users, second.users, `${sort}, by skip`);
      }
    }
  },
);
