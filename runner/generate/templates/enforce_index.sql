CREATE {{ "UNIQUE " if i.unique }}INDEX CONCURRENTLY {{ i.build_name | q }} ON {{ t.new | n }} {{ i.new_method }};
