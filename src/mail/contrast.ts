/** The colours of a button, as CSS writes them. */
export interface ButtonColors {
  readonly background: string;
  readonly text: string;
  /** The background's, unless the button would not stand out from the card in a light or a dark mail. */
  readonly border: string;
  readonly dark_border: string;
}

const lightCard = '#ffffff';
const darkCard = '#1f2429';
const edge = '#7d8790';
const leastDifference = 1.5;

export function buttonColors(background: string): ButtonColors {
  const stands = (card: string) => contrast(background, card) >= leastDifference;
  return {
    background,
    text: contrast(background, '#ffffff') >= contrast(background, '#000000') ? '#ffffff' : '#000000',
    border: stands(lightCard) ? background : edge,
    dark_border: stands(darkCard) ? background : edge,
  };
}

/** The contrast ratio of two colours `#rrggbb` (WCAG 2.2). */
export function contrast(one: string, other: string): number {
  const [lighter = 1, darker = 1] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
