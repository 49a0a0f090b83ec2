import '@mantine/charts/styles.css';
import { LineChart } from '@mantine/charts';
import { language, t } from '../../shared/i18n.ts';
import { type Day, type Figure, figures } from './series.ts';

const shortDay = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'short', timeZone: 'UTC' });
const number = new Intl.NumberFormat(language);

/** Figures by day. Whoever cannot see it has the table. */
export function DayChart({
  days,
  shown,
  label,
  height,
}: {
  days: Day[];
  shown: readonly Figure[];
  label: string;
  height: number;
}) {
  const series = figures
    .filter(({ name }) => shown.includes(name))
    .map(({ name, color, dashes }) => ({
      name,
      color,
      label: t(`insight:dashboard.figures.${name}`),
      ...(dashes === undefined ? {} : { strokeDasharray: dashes }),
    }));
  return (
    <div role="img" aria-label={label}>
      <LineChart
        h={height}
        data={days.map((day) => ({ ...day, day: shortDay.format(new Date(day.day)) }))}
        dataKey="day"
        series={series}
        curveType="linear"
        withDots={false}
        withLegend={series.length > 1}
        legendProps={{ verticalAlign: 'bottom', itemSorter: null }}
        valueFormatter={(value) => number.format(value)}
        yAxisProps={{ allowDecimals: false, width: 48 }}
        xAxisProps={{ minTickGap: 24 }}
        accessibilityLayer={false}
        lineProps={{ isAnimationActive: false }}
      />
    </div>
  );
}
