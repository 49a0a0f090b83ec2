import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskPasswords } from './masked-url.ts';

const cases: [text: string, shown: string][] = [
  ['postgres://ann:s3cret@db:5432/doorward', 'postgres://ann:********@db:5432/doorward'],
  [
    'postgres://ann@db/doorward?password=s3cret&sslmode=require',
    'postgres://ann@db/doorward?password=********&sslmode=require',
  ],
  ['postgres://db/doorward?sslpassword=a&sslpassword=b', 'postgres://db/doorward?sslpassword=********'],
  ['https://ann:s3cret@logo.example/x.png', 'https://ann:********@logo.example/x.png'],
  [
    'https://traces.example/v1?api-key=s3cret&dataset=a',
    'https://traces.example/v1?api-key=********&dataset=a',
  ],
  ['https://app.example.com/', 'https://app.example.com/'],
  ['sqlite:./data/doorward.db', 'sqlite:./data/doorward.db'],
  ['sqlite::memory:', 'sqlite::memory:'],
  ['Doorward <doorward@example.com>', 'Doorward <doorward@example.com>'],
  ['', ''],
];
for (const [text, shown] of cases) test(JSON.stringify(text), () => assert.equal(maskPasswords(text), shown));
