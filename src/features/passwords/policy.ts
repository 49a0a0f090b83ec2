import { type ValidationIssue, valueError } from '../../errors.ts';
import { isCommonPassword } from './common-passwords.ts';

/** `composition` is the reference's rule; `nist` is SP 800-63B-4: length, and no composition. */
export type PasswordPolicy = 'composition' | 'nist';

/** SP 800-63B-4 section 3.1.1.2: the minimum where the password is the only factor. */
const nistMinimumLength = 15;

/** The reference's rules in its order. As in Python, `\d` is a decimal digit of any script. */
const compositionRules: readonly (readonly [RegExp, string])[] = [
  [/[A-Z]/, 'Password must contain at least one uppercase letter'],
  [/[a-z]/, 'Password must contain at least one lowercase letter'],
  [/\p{Nd}/u, 'Password must contain at least one digit'],
  [/[!@#$%^&*(),.?":{}|<>]/, 'Password must contain at least one special character'],
];

/** What is shorter does not get better by being repeated until it is long enough. */
const shortestUnit = 8;

/**
 * Whether the length that `nist` asks for was had without any effort: few characters or a common password over and over, or
 * characters that follow each other, as in `abcdefghijklmno`.
 */
function isMonotonous(password: string): boolean {
  const characters = [...password.toLowerCase()];
  const period = characters.findIndex(
    (_, length) => length > 0 && characters.every((one, index) => one === characters[index % length]),
  );
  const unit = characters.slice(0, period === -1 ? undefined : period);
  if (unit.length < shortestUnit || isCommonPassword(unit.join(''))) return true;
  const points = characters.map((one) => one.codePointAt(0) ?? 0);
  const steps = points.slice(1).map((point, index) => point - (points[index] ?? 0));
  return Math.abs(steps[0] ?? 0) === 1 && new Set(steps).size === 1;
}

function fold(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/**
 * What is wrong with a new password: nothing, or one issue, the first, as the reference reports it. The password is
 * judged in the NFC form that gets hashed; the bounds of 8 and 128 code points are the schema's.
 */
export function passwordIssues(
  password: string,
  { email, name, policy }: { email: string; name: string; policy: PasswordPolicy },
  loc: (string | number)[],
): ValidationIssue[] {
  const normalised = password.normalize('NFC');
  if (policy === 'composition') {
    const broken = compositionRules.find(([pattern]) => !pattern.test(normalised));
    if (broken) return [valueError(loc, broken[1])];
  } else if ([...normalised].length < nistMinimumLength) {
    return [
      {
        type: 'string_too_short',
        loc,
        msg: `String should have at least ${nistMinimumLength} characters`,
        ctx: { min_length: nistMinimumLength },
      },
    ];
  }
  if (isCommonPassword(normalised) || (policy === 'nist' && isMonotonous(normalised)))
    return [valueError(loc, 'Password is too common')];

  const localPart = email.slice(0, email.lastIndexOf('@'));
  if ([email, localPart, name].some((text) => fold(text) === fold(password))) {
    return [valueError(loc, 'Password must not be the email or the name')];
  }
  return [];
}
