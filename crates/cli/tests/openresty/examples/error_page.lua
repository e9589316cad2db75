-- request: GET /error_page
error("this request fails")
--> 500
