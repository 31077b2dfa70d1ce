/* Charts: uPlot drawn from attributes, kept complete while values are pushed. Loaded only by pages that have a chart:

     <link rel="stylesheet" href="{% static 'npm/uplot/dist/uPlot.min.css' %}"> <link rel="stylesheet" href="{% static 'core/charts.css' %}">
     <script defer src="{% static 'npm/uplot/dist/uPlot.iife.min.js' %}"></script> <script type="module" src="{% static 'core/charts.js' %}"></script>

   What the page carries. Times are unix seconds (decimals allowed), everywhere. POINTS is [[time, value|null], ...], ascending; null breaks the line.

     <section class="w" id="w-12" data-interval data-grace data-at data-state>
       <header> ...
         <span class="legend" data-legend><button type="button" data-name="cpu" class="s-1">CPU</button> ...</span>     (optional: shows and hides)
         <span class="ranges" data-ranges><button type="button" data-seconds="300">5m</button> ... 900 3600 86400 2592000</span>   (optional)
       </header>
       <div class="chart" id="w-12-chart" data-chart hx-morph-skip-children role="img" aria-label="CPU, percent, last 15 minutes"
            data-points-url="/dashboards/ops/12/points/"
            data-series='[{"name": "cpu", "label": "CPU", "color": 1}, ...]'      color: 1-6, a --series-n variable; "area": true fills
            data-range="900"                                                      seconds shown
            data-unit="%" data-decimals="1" data-min="0" data-max="100"           all optional; min and max are soft ends of the scale
            data-thresholds='[{"value": 80, "level": "warn"}, {"value": 90, "level": "bad"}]'        optional
            data-points='ANSWER'></div>                                           the first paint, see ANSWER
       <i hidden id="w-12-new-cpu" data-series="cpu" data-new='{}'></i>           one per series, siblings of the chart, never inside it
       <i hidden id="w-12-changed" data-changed='{}'></i>                         one per tile
     </section>

   ANSWER, in data-points and from GET data-points-url?from=&to=&width=<pixels>:
     {"from": t, "to": t, "step": 0, "series": {"cpu": POINTS, ...}}       covers [from, to]; step: seconds of one bucket when downsampled, else 0

   What a push carries (each replaces its own element, so that no series overwrites another's news):
     widget.value    <i hidden id="w-12-new-cpu" hx-swap-oob="outerMorph" data-series="cpu" data-at="<ISO>" data-state="live"
                        data-new='{"prev": t|null, "points": POINTS}'></i>
                     `points`: the newest few (one will do); `prev`: time of the sample before the first of them, null when there is none.
                     A chart whose newest point is older than `prev` fetches what it misses by itself. The same (series, time) replaces.
     series.changed  <i hidden id="w-12-changed" hx-swap-oob="outerMorph" data-changed='{"from": t, "to": t}'></i>     the chart fetches that span again
   A new series is an element that is not on the page, which makes live.js refetch the region: nothing to do.
   Freshness: of the tile and the `i[data-at]` in it the newest data-at counts, with its data-state (times.js), so a push need not send the tile again.
   A whole-tile push (widget.config) or a refetch may carry newer data-points, data-series, ...: they are read again after every swap. */
