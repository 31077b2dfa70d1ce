/* The page's live connection. An htmx 4 extension; what it is loaded with, in this order (base.html):

     <meta name="htmx-config" content='{"includeIndicatorCSS": false}'>
     <script defer src="{% static 'npm/htmx.org/dist/htmx.min.js' %}"></script>
     <script defer src="{% static 'npm/htmx.org/dist/ext/hx-upsert.min.js' %}"></script>
     <script type="module" src="{% static 'core/live.js' %}"></script>          (imports its siblings: nothing else to name)
     <script type="module" src="{% static 'core/page.js' %}"></script>          (times, freshness, toasts, title badge, copy buttons)
   charts.js is named only by pages with a chart (see its head). */
