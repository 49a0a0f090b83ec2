import {
  Anchor,
  type CSSVariablesResolver,
  colorsTuple,
  createTheme,
  DEFAULT_THEME,
  type MantineColorsTuple,
} from '@mantine/core';
import { config } from './config.ts';
import { t } from './i18n.ts';
import classes from './theme.module.css';

const white = [255, 255, 255] as const;
const black = [0, 0, 0] as const;
/** The body of the dark scheme. */
const dark = [36, 36, 36] as const;
/** WCAG 2.2, 1.4.3, and a little, because tints lie under texts. */
const leastContrast = 5.2;

type Rgb = readonly [number, number, number];

function parseColor(color: string): Rgb {
  const at = (index: number) => Number.parseInt(color.slice(index, index + 2), 16);
  return [at(1), at(3), at(5)];
}

function mix(one: Rgb, other: Rgb, share: number): Rgb {
  const part = (index: 0 | 1 | 2) => one[index] + (other[index] - one[index]) * share;
  return [part(0), part(1), part(2)];
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: Rgb, other: Rgb): number {
  const [lighter = 1, darker = 1] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

/** The colour itself, or as much nearer to `end` as it takes to be read on `ground`. */
function readableOn(ground: Rgb, color: Rgb, end: Rgb): Rgb {
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mix(color, end, share);
    if (contrast(mixed, ground) >= leastContrast) return mixed;
  }
  return end;
}

function toText(color: Rgb): string {
  return `#${color.map((value) => Math.round(value).toString(16).padStart(2, '0')).join('')}`;
}

/** Ten shades of the product's colour. Texts and links on light pages are the seventh, on dark ones the fifth. */
function shadesOf(color: string): MantineColorsTuple {
  const base = parseColor(color);
  const onLight = readableOn(white, base, black);
  const onDark = readableOn(dark, base, white);
  const shades = [
    ...[0.92, 0.82, 0.65, 0.45].map((share) => mix(base, white, share)),
    onDark,
    mix(base, white, 0.1),
    onLight,
    mix(onLight, black, 0.12),
    mix(onLight, black, 0.24),
    mix(onLight, black, 0.36),
  ];
  return colorsTuple(shades.map(toText));
}

const dialog = {
  // The head of a dialog is not a second head of the page.
  defaultProps: { attributes: { header: { role: 'presentation' } } },
  // Dialogs name people, and a name may be one long word.
  styles: { content: { overflowWrap: 'anywhere' }, title: { minWidth: 0 } },
} as const;

export const theme = createTheme({
  colors: { product: shadesOf(config.product.color) },
  primaryColor: 'product',
  primaryShade: { light: 6, dark: 6 },
  autoContrast: true,
  respectReducedMotion: true,
  defaultRadius: 'md',
  cursorType: 'pointer',
  // WCAG 2.2, 1.4.1: a link within a text is told by more than its colour.
  components: {
    Anchor: Anchor.extend({ defaultProps: { underline: 'always' } }),
    // The library would rather cut its text than widen a column.
    Badge: { defaultProps: { miw: 'max-content' } },
    // WCAG 2.2, 2.1.1: the button that shows a password is no less for those who use the keyboard. It says itself whether
    // it is pressed.
    PasswordInput: {
      defaultProps: () => ({
        visibilityToggleFocusable: true,
        visibilityToggleButtonProps: { 'aria-label': t('show_password') },
      }),
    },
    Input: { classNames: { wrapper: classes.field } },
    Checkbox: { classNames: { input: classes.checkbox } },
    Modal: dialog,
    Drawer: dialog,
  },
  headings: { sizes: { h1: { fontSize: '1.6rem', lineHeight: '1.3' } } },
});

/** Texts on the tints of their own colour, such as those of badges. */
function textsOnTints(): Record<string, string> {
  const { dark, ...colors } = DEFAULT_THEME.colors;
  return Object.fromEntries(
    Object.entries(colors).map(([name, shades]) => [
      `--mantine-color-${name}-light-color`,
      toText(readableOn(parseColor(shades[1]), parseColor(shades[9]), black)),
    ]),
  );
}

/** Where the library's own colours are too weak to be read (WCAG 2.2, 1.4.3), or to show where to type (1.4.11). */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...textsOnTints(),
    '--mantine-color-error': 'var(--mantine-color-red-9)',
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': 'var(--mantine-color-gray-7)',
    '--field-border': 'var(--mantine-color-gray-6)',
  },
  dark: {
    '--mantine-color-error': 'var(--mantine-color-red-4)',
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-1)',
    '--field-border': 'var(--mantine-color-dark-2)',
  },
});
